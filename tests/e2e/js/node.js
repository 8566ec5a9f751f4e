// Run phone.js under Node.js: node node.js FOLDER '{"url": ..., "user": ..., ...}'; what it reports stands on lines.
'use strict';

const path = require('path');
const [folder, options] = process.argv.slice(2);
const find = (name) => require(require.resolve(name, { paths: [path.resolve(folder)] }));
const Socket = find('ws');

globalThis.window = globalThis;
// A browser always says which page a WebSocket is of; Node.js has no page.
globalThis.WebSocket = class extends Socket {
	constructor(url, protocols) { super(url, protocols, { origin: 'http://127.0.0.1' }); }
};
const JsSIP = find('jssip');
const { startPhone } = require('./phone.js');

const ua = startPhone(JsSIP, JSON.parse(options), (word) => console.log(word));
process.on('SIGTERM', () => { ua.stop(); setTimeout(() => process.exit(0), 500); });
