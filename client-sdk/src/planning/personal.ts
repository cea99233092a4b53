/**
 * Columns that tell who somebody is. Only names and shapes of values are looked at: a list like this finds the usual
 * ones and can miss others, so the operator is asked to look as well.
 */
import type { ColumnStats } from './column-stats.ts';

/** Words of a column's name, so that `surname` is found and `nameplate_rating` is not. */
const NAMES: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/^((first|last|middle|full|given|family|maiden|patient|person|customer|user|client) )?names?$/, 'a name'],
  [/^(sur|fore|user|nick)names?$|^(vor|nach)?name$|^nom|^prenom$|^apellidos?$|^login$/, 'a name'],
  [/\be ?mails?\b/, 'an e-mail address'],
  [/\b(phone|mobile|telephone|tel|fax|handy)\b/, 'a telephone number'],
  [/\b(address|street|strasse|adresse|house ?number|postal|postcode|zip|zipcode|plz)\b/, 'an address'],
  [/\b(birth ?(date|day)|date of birth|dob|born|geburtsdatum|birth)\b/, 'a date of birth'],
  [
    /\b(ssn|social security|passport|national id|tax id|nhs|insurance (no|number|id)|svnr|ahv)\b/,
    'an official number',
  ],
  [/\b(mrn|patient (id|no|nr|number|key)|person (id|no|nr|number)|medical record)\b/, "a person's number"],
  [/\b(iban|account (no|nr|number)|credit card|card number)\b/, 'an account'],
  [/\b(ip|ip address|mac address|imei|device id)\b/, "a device's address"],
  [/\b(latitude|longitude|lat|lon|lng|gps)\b/, 'a place'],
];

/** What kind of personal identifier this seems to be, in words. */
export function personalKind(column: ColumnStats): string | undefined {
  const filled = column.rows - column.empty;
  if (filled > 0 && column.emails / filled > 0.5) return 'e-mail addresses';
  const words = wordsOf(column.name);
  return NAMES.find(([pattern]) => pattern.test(words))?.[1];
}

/** `patientID`, `patient-id` and `Patient_Id` are all `patient id`. */
export function wordsOf(name: string): string {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()
    .toLowerCase();
}
