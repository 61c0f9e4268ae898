// A chat template, parsed once and rendered with Python's semantics: what the other modules of this folder are for. Called by
// chatTemplate.ts. Equal to Jinja2 3.1 in Transformers 5's environment, or an error; see decision 0037.
import { Interpreter, type GenerationSpan, type MessageSpan } from './interpreter.js';
import { withinLimits } from './limits.js';
import { parseTemplate } from './parser.js';
import { fromJson } from './pythonValues.js';
import type { Statement } from './syntax.js';

export interface RenderedTemplate {
  text: string;
  /** What `{% generation %}` blocks wrote, in order; empty if the template has none. */
  generations: GenerationSpan[];
  /** What passes of loops over `messages` wrote, in order. */
  messages: MessageSpan[];
}

export class JinjaTemplate {
  private readonly statements: Statement[];

  /** @throws TemplateError with the line of what can't be parsed */
  constructor(source: string) {
    this.statements = withinLimits(() => parseTemplate(source));
  }

  /**
   * @param variables JSON values by name; for numbers see `fromJson`
   * @throws TemplateError if the template fails, rejects the values, or exceeds the limits on steps and sizes
   */
  render(variables: Record<string, unknown>, now: () => Date = () => new Date()): RenderedTemplate {
    return withinLimits(() => {
      const given = Object.entries(variables).filter(([, value]) => value !== undefined);
      const values = Object.fromEntries(given.map(([name, value]) => [name, fromJson(value)]));
      const interpreter = new Interpreter(now, Array.isArray(values.messages) ? values.messages : []);
      const text = interpreter.render(this.statements, Object.entries(values));
      return { text, generations: interpreter.generations, messages: interpreter.messages };
    });
  }
}
