// Seconds since 1970 to calendar date and back, in the certificates' text form `YYYY-MM-DD hh-mm-ss`.
// Gregorian, UTC, without Date: the core reads no clock.

import { DAY_SECONDS } from '../params.ts';

/** Days from 1970-01-01 to a date. The year is counted from March, so the leap day is its last. */
function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return y * 365 + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400) + dayOfYear - 719468;
}

function pad(value: number, width: number): string {
  let text = String(value);
  while (text.length < width) text = '0' + text;
  return text;
}

/** The last second of the year 9999: what the text form can state. */
export const TIME_TEXT_MAX = 253402300799;

/** `YYYY-MM-DD hh-mm-ss` of a time in seconds, from 1970 to 9999; else `after 9999`. */
export function formatTime(seconds: number): string {
  if (seconds > TIME_TEXT_MAX) return 'after 9999';
  const days = Math.floor(seconds / DAY_SECONDS);
  const rest = seconds - days * DAY_SECONDS;
  // The average year is 365.2425 days, so the estimate is at most one year off.
  let year = 1970 + Math.floor(days / 365.2425);
  while (daysFromCivil(year + 1, 1, 1) <= days) year++;
  while (daysFromCivil(year, 1, 1) > days) year--;
  let month = 12;
  while (daysFromCivil(year, month, 1) > days) month--;
  const day = days - daysFromCivil(year, month, 1) + 1;
  const clock = [Math.floor(rest / 3600), Math.floor(rest / 60) % 60, rest % 60];
  return `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)} ${clock.map((n) => pad(n, 2)).join('-')}`;
}

/** The time of a `YYYY-MM-DD hh-mm-ss` text read as UTC, or null if it is none. */
export function parseTime(text: string): number | null {
  const match = /^(\d{4})-(\d\d)-(\d\d) (\d\d)-(\d\d)-(\d\d)$/.exec(text);
  if (match === null) return null;
  const n = match.slice(1).map(Number);
  const seconds = daysFromCivil(n[0]!, n[1]!, n[2]!) * DAY_SECONDS + n[3]! * 3600 + n[4]! * 60 + n[5]!;
  return formatTime(seconds) === text ? seconds : null;
}
