// Randomness on a Moddable device: words of the hardware generator, which is one only while the radio is on.

import Net from 'net';
import type { EntropySource } from '../../src/link/boot.ts';

/** True while the Wi-Fi station is connected: its radio feeds the generator with noise. */
export function isRadioOn(): boolean {
  return Net.get('SSID') !== undefined;
}

/**
 * Math.random of Moddable on ESP32 and ESP8266: 31 bits of a word of the hardware generator, of which the upper 24
 * are taken. It delivers nothing unless `isUp`: without the radio the words are those of a plain generator. On
 * other platforms Math.random is none that could be used.
 */
export function espRandom(isUp: () => boolean, approved: boolean, bits: number): EntropySource {
  return {
    name: 'espRandom',
    approved,
    bits,
    fill(out) {
      if (!isUp()) return false;
      for (let i = 0; i < out.length; i += 3) {
        const word = Math.floor(Math.random() * 0x1000000);
        out[i] = word;
        if (i + 1 < out.length) out[i + 1] = word >> 8;
        if (i + 2 < out.length) out[i + 2] = word >> 16;
      }
      return isUp();
    },
  };
}
