// A child process that isn't one: two streams with JSON-RPC at the other end, and the events of a process.
import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import {
  createMessageConnection,
  StreamMessageReader,
  StreamMessageWriter,
  type MessageConnection,
} from 'vscode-jsonrpc/node';

export class FakeChild extends EventEmitter {
  readonly stdin = new PassThrough();
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly pid = 1;
  readonly engine: MessageConnection;
  killed = false;

  constructor() {
    super();
    this.engine = createMessageConnection(new StreamMessageReader(this.stdin), new StreamMessageWriter(this.stdout));
    this.engine.listen();
    this.stdin.once('end', () => this.exit(0));
    setImmediate(() => this.emit('spawn'));
  }

  exit(code: number): void {
    this.engine.dispose();
    this.stdout.end();
    this.emit('close', code, null);
  }

  kill(): void {
    this.killed = true;
    this.exit(1);
  }
}
