// pip's settings from its configuration files and environment variables, with pip's precedence, so that downloads use the same
// index, proxy and certificates. Called by indexSettings.ts. Never runs pip.
// Facts: https://pip.pypa.io/en/stable/topics/configuration/
import { existsSync, readFileSync } from 'node:fs';
import { devNull, homedir } from 'node:os';
import { delimiter, join } from 'node:path';

/** Sections that apply to downloads; later ones take precedence. */
const SECTIONS = ['global', 'install', 'download'];

/** Settings by pip's long options, such as `index-url`, without empty ones; variables take precedence over files. */
export function readPipSettings(): Map<string, string> {
  const settings = new Map<string, string>();
  const set = (name: string, value: string) => value !== '' && settings.set(name, value);
  const files = configurationFiles().map(path => parseIni(readFileSync(path, 'utf8')));
  for (const section of SECTIONS)
    for (const file of files) for (const [name, value] of file.get(section) ?? []) set(name, value);
  for (const [variable, value] of Object.entries(process.env))
    if (variable.startsWith('PIP_') && variable !== 'PIP_CONFIG_FILE')
      set(optionName(variable.slice('PIP_'.length)), value ?? '');
  return settings;
}

/** Existing files; later ones take precedence. */
function configurationFiles(): string[] {
  const named = process.env.PIP_CONFIG_FILE;
  if (named === devNull) return [];
  // PIP_CONFIG_FILE replaces the user's own files.
  const user = named !== undefined && existsSync(named) ? [] : userFiles();
  const environment = process.env.VIRTUAL_ENV ?? process.env.CONDA_PREFIX;
  const site = environment === undefined ? [] : [join(environment, FILE_NAME)];
  return [...systemFiles(), ...user, ...site, ...(named ? [named] : [])].filter(path => existsSync(path));
}

const FILE_NAME = process.platform === 'win32' ? 'pip.ini' : 'pip.conf';

function systemFiles(): string[] {
  if (process.platform === 'win32') return [join(process.env.PROGRAMDATA ?? 'C:\\ProgramData', 'pip', FILE_NAME)];
  if (process.platform === 'darwin') return ['/Library/Application Support/pip/pip.conf'];
  const folders = (process.env.XDG_CONFIG_DIRS || '/etc/xdg').split(delimiter);
  return [...folders.map(folder => join(folder, 'pip', FILE_NAME)), '/etc/pip.conf'];
}

function userFiles(): string[] {
  const home = homedir();
  if (process.platform === 'win32')
    return [join(home, 'pip', FILE_NAME), join(process.env.APPDATA ?? home, 'pip', FILE_NAME)];
  const mac = join(home, 'Library/Application Support/pip');
  const folder =
    process.platform === 'darwin' && existsSync(mac)
      ? mac
      : join(process.env.XDG_CONFIG_HOME || join(home, '.config'), 'pip');
  return [join(home, '.pip', FILE_NAME), join(folder, FILE_NAME)];
}

function optionName(name: string): string {
  return name.trim().toLowerCase().replaceAll('_', '-').replace(/^--/, '');
}

/** Sections of an INI file as read by Python's configparser: `=` or `:`; indented lines continue the previous value. */
function parseIni(text: string): Map<string, Map<string, string>> {
  const sections = new Map<string, Map<string, string>>();
  let section = new Map<string, string>();
  let option: string | null = null;
  for (const line of text.split(/\r?\n/)) {
    const content = line.trim();
    if (content === '' || /^[#;]/.test(content)) continue;
    const header = /^\[([^\]]+)\]/.exec(line);
    const pair = /^([^\s=:][^=:]*?)\s*[=:]\s*(.*)$/.exec(line);
    if (header) {
      section = sections.get(header[1]) ?? new Map<string, string>();
      sections.set(header[1], section);
      option = null;
    } else if (/^\s/.test(line) && option !== null) {
      section.set(option, `${section.get(option)}\n${content}`.trim());
    } else if (pair) {
      option = optionName(pair[1]);
      section.set(option, pair[2].trim());
    }
  }
  return sections;
}
