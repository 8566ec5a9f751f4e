// A phone made of JsSIP, the same under Node.js and in a page: registers, calls or answers, and reports what happens.
// `report(word)` hears: registered, refused CAUSE, incoming, ringing, confirmed, ended CAUSE, failed CAUSE, disconnected.
'use strict';

const SDP = 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n' +
	'm=audio 40000 UDP/TLS/RTP/SAVPF 0\r\na=rtpmap:0 PCMU/8000\r\n';

// Stand in for the browser's media: only signalling is under test.
class NoMedia {
	constructor() {
		this.iceGatheringState = 'complete';
		this.iceConnectionState = 'connected';
		this.signalingState = 'stable';
	}
	addEventListener() {}
	removeEventListener() {}
	addTrack() {}
	getSenders() { return []; }
	close() { this.signalingState = 'closed'; }
	createOffer() { return Promise.resolve({ type: 'offer', sdp: SDP }); }
	createAnswer() { return Promise.resolve({ type: 'answer', sdp: SDP }); }
	setLocalDescription(description) { this.localDescription = description; return Promise.resolve(); }
	setRemoteDescription(description) { this.remoteDescription = description; return Promise.resolve(); }
}

// Options: url, user, domain, call (a URI to call once registered), hangUp (milliseconds after the call stands, -1 for
// never), media (true: the real thing), expires.
function startPhone(JsSIP, options, report) {
	if (!options.media) {
		globalThis.RTCPeerConnection = NoMedia;
		globalThis.RTCSessionDescription = function (description) { return description; };
	}
	const media = { audio: !!options.media, video: false };
	const ua = new JsSIP.UA({
		sockets: [new JsSIP.WebSocketInterface(options.url)],
		uri: `sip:${options.user}@${options.domain}`,
		register_expires: options.expires || 600,
		session_timers: false,
	});
	ua.on('registered', () => {
		report('registered');
		if (options.call && !ua.hasCalled) {
			ua.hasCalled = true;
			ua.call(options.call, { mediaConstraints: media });
		}
	});
	ua.on('registrationFailed', (event) => report(`refused ${event.cause}`));
	ua.on('disconnected', () => report('disconnected'));
	ua.on('newRTCSession', ({ session, originator }) => {
		session.on('progress', () => report(originator === 'local' ? 'ringing' : 'alerting'));
		session.on('confirmed', () => {
			report('confirmed');
			if (options.hangUp >= 0)
				setTimeout(() => session.terminate(), options.hangUp);
		});
		session.on('ended', (event) => report(`ended ${event.cause}`));
		session.on('failed', (event) => report(`failed ${event.cause}`));
		if (originator === 'remote') {
			report('incoming');
			session.answer({ mediaConstraints: media });
		}
	});
	ua.start();
	return ua;
}

if (typeof module !== 'undefined')
	module.exports = { startPhone };
