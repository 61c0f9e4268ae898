// A chat template, parsed once and rendered with Python's semantics: what the other modules of this folder are for. Called by
// chatTemplate.ts. Equal to Jinja2 3.1 in Transformers 5's environment, or an error; see decision 0037.
import { Interpreter, type GenerationSpan, type MessageSpan } from './interpreter.js';
import { StepLimitError, withinLimits } from './limits.js';
import { parseTemplate } from './parser.js';
import { fromJson } from './pythonValues.js';
import type { Statement } from './syntax.js';
import { TemplateError } from './templateError.js';
import { readNames } from './templateVariables.js';

export interface RenderedTemplate {
  text: string;
  /** What `{% generation %}` blocks wrote, in order; empty if the template has none. */
  generations: GenerationSpan[];
  /** What passes of loops over `messages` wrote, in order. */
  messages: MessageSpan[];
}

/** A template that so often takes too many steps isn't tried again: a dataset may have a million chats. */
const MAX_EXCEEDED = 3;

export class JinjaTemplate {
  private readonly statements: Statement[];
  private exceeded = 0;

  /** @throws TemplateError with the line of what can't be parsed */
  constructor(source: string) {
    this.statements = withinLimits(() => parseTemplate(source));
  }

  /** Names that the template reads without setting them. */
  get variables(): string[] {
    return withinLimits(() => readNames(this.statements));
  }

  /**
   * @param variables JSON values by name; for numbers see `fromJson`
   * @throws TemplateError if the template fails, rejects the values, or exceeds the limits on steps and sizes
   */
  render(variables: Record<string, unknown>, now: () => Date = () => new Date()): RenderedTemplate {
    if (this.exceeded === MAX_EXCEEDED)
      throw new TemplateError(`the template took more than 5 million steps ${MAX_EXCEEDED} times; does a loop end?`);
    try {
      return this.renderOnce(variables, now);
    } catch (error) {
      if (error instanceof StepLimitError) this.exceeded++;
      throw error;
    }
  }

  private renderOnce(variables: Record<string, unknown>, now: () => Date): RenderedTemplate {
    return withinLimits(() => {
      const given = Object.entries(variables).filter(([, value]) => value !== undefined);
      const values = Object.fromEntries(given.map(([name, value]) => [name, fromJson(value)]));
      const interpreter = new Interpreter(now, Array.isArray(values.messages) ? values.messages : []);
      const text = interpreter.render(this.statements, Object.entries(values));
      return { text, generations: interpreter.generations, messages: interpreter.messages };
    });
  }
}
