// A conversation that lines steer: turns, and commands such as `/adapter pirate:0.5`. Knows no terminal; used by chatCommand.ts.
import { resolve } from 'node:path';
import { CancelledError } from '../../core/codedError.js';
import { appendedRow } from '../../core/data/appendedRow.js';
import type { ChatMessage } from '../../core/data/example.js';
import { suggestion } from '../../core/forms/zodSchema.js';
import { InputError } from '../../core/inputError.js';
import { samplingSchema, type Sampling } from '../../protocol/sampling.js';
import type { ChatTurn, GenerationAnswer, Mixture } from '../../protocol/sessionMessages.js';
import { appendLine, readText } from '../../system/regularFile.js';
import type { GenerateCalls, Session } from '../generation/session.js';
import { toolCall } from '../serve/answers.js';
import { mixtureOf, modelNames, nameOf } from '../serve/modelNames.js';
import { checked } from '../serve/requests.js';

export type ChatSession = Pick<Session, 'facts' | 'adapters' | 'generate'>;

export type Reply =
  /** What a command did. */
  { kind: 'note'; text: string } | { kind: 'answer'; model: string; answer: GenerationAnswer };

const COMMANDS = {
  '/help': 'lists the commands',
  '/adapter [NAME[:STRENGTH][+...]]':
    'who answers from now on: base, an adapter, or a mixture of LoRA adapters; alone, shows them',
  '/system [TEXT]': 'sets the system message, or removes it',
  '/set [KEY VALUE]': 'sets an option of the sampling, such as temperature 0.7; without one, shows all',
  '/retry': 'answers the last turn again, with the next seed',
  '/clear': 'begins a new conversation',
  '/save FILE.jsonl': 'appends the conversation to a file, as a row to train on',
  '/quit': 'ends the chat',
} as const;

interface Said {
  text: string;
  reasoning: string;
  tool_calls: GenerationAnswer['tool_calls'];
}

export class Chat {
  /** After /quit. */
  ended = false;
  private turns: ChatTurn[] = [];
  private sampling: Sampling = samplingSchema.parse({});
  private variables: Record<string, unknown> = {};
  private adapters: Mixture;

  /** The first adapter answers, if there is one. */
  constructor(
    private readonly session: ChatSession,
    private system = '',
  ) {
    this.adapters = session
      .adapters()
      .slice(0, 1)
      .map(({ name }) => ({ name, weight: 1 }));
  }

  describe(): string {
    return `${this.session.facts.model}, ${nameOf(this.adapters)} answers.`;
  }

  /**
   * Takes a line. A turn that fails leaves the conversation as it was; of one that is cancelled, what was said so far is kept.
   * @returns null for an empty line, and at /quit
   * @throws InputError, CancelledError
   */
  async enter(line: string, calls: GenerateCalls): Promise<Reply | null> {
    const text = line.trim();
    if (text === '') return null;
    if (!text.startsWith('/')) return this.answer([...this.turns, { role: 'user', content: text }], calls);
    const [, command = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(text) ?? [];
    switch (command) {
      case '/help':
        return note(
          Object.entries(COMMANDS)
            .map(([usage, does]) => `${usage.padEnd(32)} ${does}`)
            .join('\n'),
        );
      case '/adapter':
        return this.choose(rest);
      case '/system':
        this.system = rest;
        return note(rest === '' ? 'No system message.' : 'The system message is set.');
      case '/set':
        return this.set(rest);
      case '/retry':
        return this.retry(calls);
      case '/clear':
        this.turns = [];
        return note('A new conversation.');
      case '/save':
        return this.save(rest);
      case '/quit':
        this.ended = true;
        return null;
      default: {
        const known = Object.keys(COMMANDS).map(usage => usage.split(' ')[0]!);
        throw new InputError(`there is no command ${command}; ${suggestion(command, known)}`, {
          hint: '/help lists them.',
        });
      }
    }
  }

  private get messages(): ChatTurn[] {
    return [...(this.system === '' ? [] : [{ role: 'system', content: this.system }]), ...this.turns];
  }

  private async answer(turns: readonly ChatTurn[], calls: GenerateCalls): Promise<Reply> {
    const before = this.turns;
    this.turns = [...turns];
    const said = { text: '', reasoning: '' };
    const { adapters, sampling } = this;
    try {
      const answer = await this.session.generate(
        { messages: this.messages, adapters, sampling, template_variables: this.variables },
        {
          ...calls,
          onPiece: piece => {
            said.text += piece.text;
            said.reasoning += piece.reasoning;
            calls.onPiece?.(piece);
          },
        },
      );
      this.turns.push(answerTurn(answer));
      return { kind: 'answer', model: nameOf(adapters), answer };
    } catch (error) {
      if (error instanceof CancelledError && said.text !== '') this.turns.push(answerTurn({ ...said, tool_calls: [] }));
      else this.turns = before;
      throw error;
    }
  }

  private retry(calls: GenerateCalls): Promise<Reply> {
    const last = this.turns.findLastIndex(({ role }) => role === 'user');
    if (last < 0) throw new InputError('there is no turn to answer again');
    this.sampling = { ...this.sampling, seed: this.sampling.seed + 1 };
    return this.answer(this.turns.slice(0, last + 1), calls);
  }

  private choose(name: string): Reply {
    if (name === '') return note(`${this.describe()} Loaded: ${modelNames(this.session).join(', ')}.`);
    const mixture = mixtureOf(name, this.session);
    if (!mixture)
      throw new InputError(`there is no adapter "${name}"`, {
        hint: `Loaded: ${modelNames(this.session).join(', ')}.`,
      });
    this.adapters = mixture;
    return note(this.describe());
  }

  /** A key of the sampling options, or a variable of the model's chat template. */
  private set(text: string): Reply {
    if (text === '')
      return note(
        Object.entries({ ...this.sampling, ...this.variables })
          .map(setting)
          .join('\n'),
      );
    const [, key = '', value = ''] = /^(\S+)\s*(.*)$/s.exec(text) ?? [];
    const variables = this.session.facts.template_variables;
    const known = Object.keys(samplingSchema.shape);
    const read = jsonOrText(value);
    if (variables.includes(key)) this.variables = { ...this.variables, [key]: read };
    else if (!known.includes(key))
      throw new InputError(`there is no option "${key}"; ${suggestion(key, [...known, ...variables])}`);
    else {
      const changed = { ...this.sampling, [key]: key === 'stop' && !Array.isArray(read) ? [value] : read };
      this.sampling = checked(samplingSchema, changed);
    }
    return note(setting([key, { ...this.sampling, ...this.variables }[key]]));
  }

  private save(path: string): Reply {
    if (!/\.jsonl$/i.test(path))
      throw new InputError('name a file that ends in .jsonl', { hint: '/save answers.jsonl' });
    if (this.turns.length === 0) throw new InputError('the conversation is empty');
    const file = resolve(path);
    const text = readText(file) ?? '';
    // In the format that the file has, so that its rows stay of one.
    const { edit } = appendedRow(
      { text, fileType: 'jsonl', format: 'auto', columns: {} },
      { kind: 'conversation', content: { messages: this.messages as ChatMessage[] } },
    );
    const isCut = text !== '' && !text.endsWith('\n');
    try {
      appendLine(file, `${isCut ? '\n' : ''}${edit.text.trim()}`, 'follow');
    } catch (error) {
      if (error instanceof InputError) throw error;
      throw new InputError(`the file can't be written (${(error as NodeJS.ErrnoException).code})`, { file });
    }
    return note(`Appended to ${file}.`);
  }
}

function note(text: string): Reply {
  return { kind: 'note', text };
}

function setting([key, value]: [string, unknown]): string {
  return `${key} ${JSON.stringify(value)}`;
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The answer as a turn, in the form of OpenAI's API. */
function answerTurn({ text, reasoning, tool_calls: calls }: Said): ChatTurn {
  return {
    role: 'assistant',
    content: text,
    ...(reasoning !== '' && { reasoning_content: reasoning }),
    ...(calls.length > 0 && { tool_calls: calls.map(toolCall) }),
  };
}
