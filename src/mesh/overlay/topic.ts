// Topics of the mesh as content topics, /qstp/2/<topic>/proto: the form of Waku's, which an MQTT broker takes as well.
// In <topic> the characters that MQTT forbids or gives a meaning are written %XX, and % itself, so that each topic has
// one content topic. The slash stays: it makes levels, for which a broker has access rules.

import { QstpError } from '../../error.ts';
import { utf8Bytes } from '../proto/utf8.ts';

const PREFIX = '/qstp/2/';
const SUFFIX = '/proto';
/** MQTT: a topic has at most 65,535 bytes of UTF-8. */
const BYTES_MAX = 65535;

const DIGITS = '0123456789ABCDEF';

/** # $ % + and control characters. */
function isEscaped(c: number): boolean {
  return c < 0x20 || c === 0x7f || (c >= 0x23 && c <= 0x25) || c === 0x2b;
}

/** True if every half of a surrogate pair has its other one: MQTT has no room for others. */
function isWhole(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c < 0xd800 || c > 0xdfff) continue;
    const next = c < 0xdc00 && i + 1 < text.length ? text.charCodeAt(i + 1) : 0;
    if (next < 0xdc00 || next > 0xdfff) return false;
    i++;
  }
  return true;
}

/** The content topic of a topic. Throws `topic_invalid` if it is empty, too long or not Unicode. */
export function contentTopic(topic: string): string {
  let escaped = '';
  for (let i = 0; i < topic.length; i++) {
    const c = topic.charCodeAt(i);
    escaped += isEscaped(c) ? '%' + DIGITS.charAt(c >> 4) + DIGITS.charAt(c & 15) : topic.charAt(i);
  }
  const whole = PREFIX + escaped + SUFFIX;
  if (topic === '' || !isWhole(topic) || utf8Bytes(whole) > BYTES_MAX) {
    throw new QstpError('topic_invalid', 'a topic has 1 to some 65,000 characters of Unicode');
  }
  return whole;
}

/** The topic of a content topic; null if it is none of ours. */
export function topicOfContent(content: string): string | null {
  const end = content.length - SUFFIX.length;
  if (end <= PREFIX.length || content.substring(0, PREFIX.length) !== PREFIX) return null;
  if (content.substring(end) !== SUFFIX) return null;
  let topic = '';
  for (let i = PREFIX.length; i < end; i++) {
    const c = content.charCodeAt(i);
    if (c !== 0x25) {
      if (isEscaped(c)) return null;
      topic += content.charAt(i);
      continue;
    }
    const high = i + 2 < end ? DIGITS.indexOf(content.charAt(i + 1)) : -1;
    const low = i + 2 < end ? DIGITS.indexOf(content.charAt(i + 2)) : -1;
    if (high === -1 || low === -1 || !isEscaped(16 * high + low)) return null;
    topic += String.fromCharCode(16 * high + low);
    i += 2;
  }
  return isWhole(topic) ? topic : null;
}
