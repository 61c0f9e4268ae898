// Loaded into a training process before anything else (`node --import`): counts what it changes in the files below a folder, and at
// the chosen change kills it, has the disk fail from there on, or writes a journal of all of them. The moments of a crash that matter are then reached
// one by one, whatever the speed of the machine. TUNEWRIGHT_FAULT says what to do, as written by workshop.ts.
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const { root, kind, at, journal } = JSON.parse(process.env.TUNEWRIGHT_FAULT);
const real = { ...fs };
/** By descriptor; of files and folders below the root. */
const opened = new Map();
let count = 0;

/** What the operating system says on a disk that fails in this way. */
const CODES = { full: 'ENOSPC', 'read-only': 'EROFS', broken: 'EIO' };

const isInside = path => typeof path === 'string' && (path === root || path.startsWith(`${root}/`));

function record(operation) {
  if (kind === 'record') real.appendFileSync(journal, `${JSON.stringify(operation)}\n`);
}

/** Does what is due before a change. @param inPart makes the beginning of it */
function change(inPart = () => {}) {
  count++;
  if (kind === 'kill' && count === at) {
    inPart();
    process.kill(process.pid, 'SIGKILL');
  }
  if (!CODES[kind] || count < at) return;
  if (kind === 'full') inPart();
  throw Object.assign(new Error(`${CODES[kind]}: the disk fails`), { code: CODES[kind], syscall: 'write' });
}

/** What takes no space succeeds on a full disk. */
function changeWithoutSpace() {
  if (kind === 'full') return;
  change();
}

const isWriting = flags =>
  typeof flags === 'string' ? /[wa+]/.test(flags) : (flags & (fs.constants.O_WRONLY | fs.constants.O_RDWR)) !== 0;

fs.openSync = (path, flags = 'r', ...rest) => {
  if (!isInside(path)) return real.openSync(path, flags, ...rest);
  const isNew = isWriting(flags) && !real.existsSync(path);
  if (isNew) change();
  const descriptor = real.openSync(path, flags, ...rest);
  opened.set(descriptor, path);
  if (isNew) record({ op: 'create', path });
  record({ op: 'open', path, descriptor });
  return descriptor;
};

fs.closeSync = descriptor => {
  opened.delete(descriptor);
  return real.closeSync(descriptor);
};

fs.writeSync = (descriptor, data, ...rest) => {
  if (!opened.has(descriptor)) return real.writeSync(descriptor, data, ...rest);
  const [offset, length] = typeof data === 'string' ? [0, Buffer.byteLength(data)] : [rest[0] ?? 0, rest[1]];
  const bytes =
    typeof data === 'string' ? Buffer.from(data) : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const written = bytes.subarray(offset, length === undefined ? undefined : offset + length);
  change(() => real.writeSync(descriptor, written.subarray(0, written.length >> 1)));
  const done = real.writeSync(descriptor, data, ...rest);
  record({ op: 'write', descriptor, data: written.subarray(0, done).toString('base64') });
  return done;
};

for (const [name, op] of [
  ['fsyncSync', 'sync'],
  ['ftruncateSync', 'truncate'],
])
  fs[name] = (descriptor, ...rest) => {
    if (opened.has(descriptor)) changeWithoutSpace();
    real[name](descriptor, ...rest);
    if (opened.has(descriptor)) record({ op, descriptor, size: rest[0] ?? 0 });
  };

fs.mkdirSync = (path, ...rest) => {
  if (isInside(path)) change();
  const made = real.mkdirSync(path, ...rest);
  if (isInside(path)) record({ op: 'folder', path });
  return made;
};

fs.linkSync = (from, to) => {
  if (isInside(to)) change();
  real.linkSync(from, to);
  if (isInside(to)) record({ op: 'link', from, to });
};

fs.renameSync = (from, to) => {
  if (isInside(to)) changeWithoutSpace();
  real.renameSync(from, to);
  if (isInside(to)) record({ op: 'rename', from, to });
};

/** rmSync calls the other two. */
let isRemoving = false;
for (const name of ['rmSync', 'unlinkSync', 'rmdirSync'])
  fs[name] = (path, ...rest) => {
    const removes = isInside(path) && !isRemoving && real.lstatSync(path, { throwIfNoEntry: false }) !== undefined;
    if (!removes) return real[name](path, ...rest);
    changeWithoutSpace();
    isRemoving = true;
    try {
      real[name](path, ...rest);
    } finally {
      isRemoving = false;
    }
    record({ op: 'remove', path });
  };

syncBuiltinESMExports();
process.on('exit', () => {
  if (kind === 'record' && count > 0) record({ op: 'end', count });
});
