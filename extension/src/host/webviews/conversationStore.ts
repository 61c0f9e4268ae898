// The playground's conversations as files of the workspace's storage, one each, without log-probabilities. Reads with Node, and
// writes by what it is given, so that nothing is written in Restricted Mode.
import { join } from 'node:path';
import { conversationSchema, type Conversation, type PlaygroundSnapshot } from '../../protocol/playgroundMessages.js';
import { namesIn, readText } from '../../system/regularFile.js';
import type { ConversationStore } from './playgroundSession.js';

type Kept = PlaygroundSnapshot['kept'][number];

/** Conversations have some kilobytes. */
const MAX_BYTES = 16 << 20;
/** Those of the page and of `randomUUID`; no path. */
const ID = /^[\w-]+$/;

export interface StoreFiles {
  makeFolder(path: string): void;
  writeText(path: string, text: string): void;
  removeFile(path: string): void;
}

export class FolderConversations implements ConversationStore {
  /** Of all files, once they have been read. */
  private known: Map<string, Kept> | null = null;

  constructor(
    private readonly folder: string,
    private readonly files: StoreFiles,
  ) {}

  async list(): Promise<Kept[]> {
    return [...this.all().values()].sort((a, b) => b.updated_ms - a.updated_ms);
  }

  /** @throws Error if the file is gone, or is no conversation */
  async read(id: string): Promise<Conversation> {
    const conversation = this.readFile(id);
    if (!conversation) throw new Error('This conversation can’t be read. Its file is missing or damaged.');
    return conversation;
  }

  async write(conversation: Conversation): Promise<void> {
    this.files.makeFolder(this.folder);
    this.files.writeText(this.pathOf(conversation.id), `${JSON.stringify(conversation)}\n`);
    this.all().set(conversation.id, keptOf(conversation));
  }

  async delete(id: string): Promise<void> {
    this.files.removeFile(this.pathOf(id));
    this.all().delete(id);
  }

  private all(): Map<string, Kept> {
    this.known ??= new Map(
      namesIn(this.folder).flatMap(name => {
        const conversation = name.endsWith('.json') ? this.readFile(name.slice(0, -'.json'.length)) : null;
        return conversation ? [[conversation.id, keptOf(conversation)] as const] : [];
      }),
    );
    return this.known;
  }

  /** null: there is no such file, or it is no conversation. */
  private readFile(id: string): Conversation | null {
    try {
      const text = readText(this.pathOf(id), 'refuse', MAX_BYTES);
      return text === null ? null : conversationSchema.parse(JSON.parse(text));
    } catch {
      return null;
    }
  }

  private pathOf(id: string): string {
    if (!ID.test(id)) throw new Error(`“${id}” is not the ID of a conversation.`);
    return join(this.folder, `${id}.json`);
  }
}

function keptOf({ id, title, updated_ms, turns }: Conversation): Kept {
  return { id, title, updated_ms, turns: turns.length };
}
