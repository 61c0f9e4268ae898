// Asks before the first upload to a cluster: what leaves this machine is listed.
import { InputError } from '../../core/inputError.js';
import { withoutLogins } from '../../core/withoutLogins.js';
import { hasAgreed, rememberAgreement } from '../ray/clusters.js';
import { lineReader, printNote } from './print.js';

/**
 * @param yes given by --yes
 * @throws InputError if nobody can be asked
 */
export async function confirmSending(
  address: string,
  sent: readonly string[],
  { yes }: { yes: boolean },
): Promise<boolean> {
  if (hasAgreed(address)) return true;
  const list = [`This is sent to ${withoutLogins(address)}:`, ...sent.map(each => `  ${each}`)].join('\n');
  if (!yes && !process.stdin.isTTY)
    throw new InputError(`nothing was sent to ${address} before, and nobody can be asked whether it may be`, {
      key: '--yes',
      hint: 'Agree with --yes; it is remembered for this address.',
    });
  printNote(list);
  if (!yes && !(await ask('Send it? [y/N] '))) return false;
  rememberAgreement(address);
  return true;
}

async function ask(question: string): Promise<boolean> {
  const reader = lineReader(question);
  try {
    reader.prompt();
    for await (const line of reader) return /^y(es)?$/i.test(line.trim());
    return false;
  } finally {
    reader.close();
  }
}
