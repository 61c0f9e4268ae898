// Python's `datetime.strftime` in the C locale, which `strftime_now` of chat templates calls. Never in the language of the machine:
// a model was trained with English months.
import { countSteps } from './limits.js';
import { TemplateError } from './templateError.js';

/** A code makes a date and texts. */
const STEPS_PER_CHARACTER = 20;

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];
const COMPOSED: Record<string, string> = {
  c: '%a %b %e %H:%M:%S %Y',
  D: '%m/%d/%y',
  F: '%Y-%m-%d',
  R: '%H:%M',
  T: '%H:%M:%S',
  x: '%m/%d/%y',
  X: '%H:%M:%S',
};

/** @throws TemplateError for a code that Python's documentation doesn't have, and for a format of some 100,000 characters */
export function strftime(date: Date, format: string): string {
  countSteps(STEPS_PER_CHARACTER * format.length);
  return format.replace(/%(-?)(.)/gs, (whole, noPadding: string, code: string) => {
    if (code in COMPOSED) return strftime(date, COMPOSED[code]);
    const text = part(date, code);
    if (text === null) throw new TemplateError(`strftime_now: the code ${whole} is not supported`);
    return noPadding ? text.replace(/^[0 ]+(?=.)/, '') : text;
  });
}

function part(date: Date, code: string): string | null {
  const two = (value: number) => String(value).padStart(2, '0');
  const yearStart = new Date(date.getFullYear(), 0, 1);
  const dayOfYear = Math.round(
    (new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime() - yearStart.getTime()) / 864e5,
  );
  switch (code) {
    case 'a':
      return DAYS[date.getDay()].slice(0, 3);
    case 'A':
      return DAYS[date.getDay()];
    case 'b':
    case 'h':
      return MONTHS[date.getMonth()].slice(0, 3);
    case 'B':
      return MONTHS[date.getMonth()];
    case 'd':
      return two(date.getDate());
    case 'e':
      return String(date.getDate()).padStart(2, ' ');
    case 'f':
      return String(date.getMilliseconds() * 1000).padStart(6, '0');
    case 'H':
      return two(date.getHours());
    case 'I':
      return two(date.getHours() % 12 || 12);
    case 'j':
      return String(dayOfYear + 1).padStart(3, '0');
    case 'm':
      return two(date.getMonth() + 1);
    case 'M':
      return two(date.getMinutes());
    case 'p':
      return date.getHours() < 12 ? 'AM' : 'PM';
    case 'S':
      return two(date.getSeconds());
    case 'u':
      return String(date.getDay() || 7);
    case 'U':
      return two(Math.floor((dayOfYear + 7 - date.getDay()) / 7));
    case 'w':
      return String(date.getDay());
    case 'W':
      return two(Math.floor((dayOfYear + 7 - ((date.getDay() + 6) % 7)) / 7));
    case 'y':
      return two(date.getFullYear() % 100);
    case 'Y':
      return String(date.getFullYear());
    case 'z':
    case 'Z':
      return ''; // a time without a zone
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case '%':
      return '%';
    default:
      return null;
  }
}
