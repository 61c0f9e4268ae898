// `tunewright chat` in a terminal, which util-linux's `script` makes: Ctrl-C stops an answer, then ends the chat; Ctrl-D ends it.
import { spawn, type ChildProcess } from 'node:child_process';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { bin } from '../../support/cli.js';

vi.setConfig({ testTimeout: 60_000 });

const CTRL_C = '\x03';
const CTRL_D = '\x04';
const PROMPT = '> ';
const AGAIN = 'Ctrl-C again ends the chat';

let child: ChildProcess | null = null;
afterEach(() => void child?.kill('SIGKILL'));

/** Types each text once what is before it was shown. @returns all that was shown, and the exit code */
async function typed(...steps: [shown: string, text: string][]): Promise<{ code: number | null; output: string }> {
  const command = `'${process.execPath}' '${bin}' chat --model embedded:tiny`;
  child = spawn('script', ['--quiet', '--return', '--flush', '--command', command, '/dev/null']);
  let output = '';
  let seen = 0;
  const left = [...steps];
  child.stdout!.on('data', data => {
    output += String(data);
    for (let at; left[0] && (at = output.indexOf(left[0][0], seen)) >= 0;) {
      const [shown, text] = left.shift()!;
      seen = at + shown.length;
      child!.stdin!.write(text);
    }
  });
  const code = await new Promise<number | null>(resolve => child!.once('close', resolve));
  expect(left, output).toEqual([]);
  return { code, output };
}

/** An answer of tokens drawn alike, which goes on until the context is full. */
const LONG: [string, string][] = [
  [PROMPT, '/set temperature 100\r'],
  [`temperature 100\r\n`, '/set max_new_tokens 480\r'],
  [`max_new_tokens 480\r\n`, 'Tell me all\r'],
];
const BEGUN = 'Tell me all\r';

describe.runIf(process.platform === 'linux')('in a terminal', () => {
  it('Ctrl-C twice, Ctrl-D and /quit end it with 0', async () => {
    expect(await typed([PROMPT, CTRL_C], [AGAIN, CTRL_C])).toMatchObject({ code: 0 });
    expect(await typed([PROMPT, CTRL_D])).toMatchObject({ code: 0 });
    expect(await typed([PROMPT, '/quit\r'])).toMatchObject({ code: 0 });
  });

  it('Ctrl-C stops an answer and not the program, which answers on; then it needs two again', async () => {
    const { code, output } = await typed(
      ...LONG,
      [BEGUN, CTRL_C],
      [`[stopped; ${AGAIN}]`, '/set temperature 0\r'],
      ['temperature 0\r\n', '/clear\r'],
      ['A new conversation.', 'Hi\r'],
      // The prompt says that the answer has ended.
      ['help you?', ''],
      [PROMPT, CTRL_C],
      [`\n${AGAIN}`, CTRL_C],
    );
    expect(code, output).toBe(0);
  });

  it('a second Ctrl-C after a stopped answer ends it with 0, at the prompt as at once', async () => {
    expect(await typed(...LONG, [BEGUN, CTRL_C], [AGAIN, CTRL_C])).toMatchObject({ code: 0 });
    expect(await typed(...LONG, [BEGUN, CTRL_C + CTRL_C])).toMatchObject({ code: 0 });
  });

  it('Ctrl-D during an answer ends it with 0', async () => {
    const { code, output } = await typed(...LONG, [BEGUN, CTRL_D]);
    expect(code).toBe(0);
    expect(output).toContain('[stopped]');
  });

  it('wrong commands say what exists, and the chat goes on', async () => {
    const { code, output } = await typed(
      [PROMPT, '/adaptr x\r'],
      ['did you mean "/adapter"?', '/save /none/a.jsonl\r'],
      ['the conversation is empty', '/help\r'],
      ['/quit', '/quit\r'],
    );
    expect(code, output).toBe(0);
  });
});
