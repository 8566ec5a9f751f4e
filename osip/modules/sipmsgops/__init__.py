"""Operations on SIP messages: headers, bodies, codecs, options, replies."""
from osip.modules.sipmsgops.module import Sipmsgops as Sipmsgops
