// Completion in rows of evaluation suites, from the JSON schema that the engine's checks are described by. VS Code's own is for JSON
// documents, and JSON Lines are none.
import { findNodeAtLocation, getLocation, parseTree, type Node } from 'jsonc-parser';
import * as vscode from 'vscode';
import { readText } from '../../system/regularFile.js';
import { isSuiteDocument } from './suiteFiles.js';

interface Described {
  title?: string;
  description?: string;
}

interface CheckSchema extends Described {
  properties: Readonly<Record<string, Described & { const?: string }>>;
  examples: readonly object[];
}

/** The part of media/schemas/eval.schema.json that is read here. */
interface SuiteSchema {
  properties: Readonly<Record<string, Described>> & { checks: { items: { oneOf: readonly CheckSchema[] } } };
}

export class SuiteCompletion implements vscode.CompletionItemProvider {
  private schema: SuiteSchema | null = null;

  constructor(private readonly schemaFile: string) {}

  provideCompletionItems(document: vscode.TextDocument, position: vscode.Position): vscode.CompletionItem[] {
    if (!isSuiteDocument(document)) return [];
    const { text } = document.lineAt(position.line);
    const { path, isAtPropertyKey, previousNode } = getLocation(text, position.character);
    const node = previousNode && isAround(previousNode, position.character) ? previousNode : null;
    const column = (offset: number) => new vscode.Position(position.line, offset);
    const range = node
      ? new vscode.Range(column(node.offset), column(node.offset + node.length))
      : new vscode.Range(position, position);
    const hasColon = /^\s*:/.test(text.slice(range.end.character));
    return this.offered(text, path, isAtPropertyKey).map(({ value, about, kind }) => {
      const json = JSON.stringify(value);
      const item = new vscode.CompletionItem(about.label, kind);
      item.insertText = kind === vscode.CompletionItemKind.Property && !hasColon ? `${json}: ` : json;
      item.filterText = json;
      item.range = range;
      if (about.description !== undefined) item.documentation = about.description;
      return item;
    });
  }

  private offered(text: string, path: readonly (string | number)[], isKey: boolean): Offer[] {
    this.schema ??= JSON.parse(readText(this.schemaFile)!) as SuiteSchema;
    const { properties } = this.schema;
    const checks = properties.checks.items.oneOf;
    if (path.length === 1 && isKey) return keys(properties);
    if (path[0] !== 'checks') return [];
    if (path.length === 2)
      return checks.map(check => ({
        value: check.examples[0]!,
        about: { label: check.properties['type']!.const!, ...check },
        kind: vscode.CompletionItemKind.Snippet,
      }));
    if (path.length !== 3) return [];
    if (!isKey) return path[2] === 'type' ? checks.map(check => valueOf(check.properties['type']!.const!, check)) : [];
    const tree = parseTree(text);
    const type = tree && findNodeAtLocation(tree, ['checks', path[1]!, 'type'])?.value;
    return keys(checks.find(check => check.properties['type']!.const === type)?.properties ?? { type: {} });
  }
}

interface Offer {
  value: string | object;
  about: { label: string; description?: string };
  kind: vscode.CompletionItemKind;
}

function keys(properties: Readonly<Record<string, Described>>): Offer[] {
  return Object.entries(properties).map(([key, about]) => ({
    value: key,
    about: { label: key, ...about },
    kind: vscode.CompletionItemKind.Property,
  }));
}

function valueOf(value: string, about: Described): Offer {
  return { value, about: { label: value, ...about }, kind: vscode.CompletionItemKind.EnumMember };
}

function isAround({ offset, length, type }: Node, character: number): boolean {
  return (type === 'string' || type === 'property') && offset <= character && character <= offset + length;
}
