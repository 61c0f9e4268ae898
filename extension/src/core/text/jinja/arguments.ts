// Arguments of a template's functions, filters and tests by the names of Python's parameters. Used by the tables of this folder.
import { TemplateError } from './templateError.js';
import { isInt, str, truth, typeName, Undefined, type Args, type Value } from './pythonValues.js';

/** The arguments of one call, bound to parameters. */
export class BoundArguments {
  private readonly values = new Map<string, Value>();

  /**
   * @param parameters names in order; those with a `*` are required
   * @throws TemplateError if there are too many, unknown ones, one twice, or a required one is missing
   */
  constructor(
    private readonly callee: string,
    parameters: string[],
    { positional, keyword }: Args,
  ) {
    const names = parameters.map(name => name.replace('*', ''));
    if (positional.length > names.length) {
      throw new TemplateError(`${callee}() takes at most ${names.length} arguments (${positional.length} given)`);
    }
    positional.forEach((value, i) => this.values.set(names[i], value));
    for (const [name, value] of keyword) {
      if (!names.includes(name)) throw new TemplateError(`${callee}() got an unexpected keyword argument '${name}'`);
      if (this.values.has(name)) throw new TemplateError(`${callee}() got multiple values for argument '${name}'`);
      this.values.set(name, value);
    }
    parameters.forEach((name, i) => {
      if (name.includes('*') && !this.values.has(names[i])) {
        throw new TemplateError(`${callee}() is missing the argument '${names[i]}'`);
      }
    });
  }

  has(name: string): boolean {
    return this.values.has(name);
  }

  value(name: string, otherwise: Value = null): Value {
    const value = this.values.get(name);
    return value === undefined ? otherwise : value;
  }

  /** A str, nothing else. */
  text(name: string, otherwise = ''): string {
    const value = this.value(name, otherwise);
    if (typeof value !== 'string') this.wrongType(name, value, 'str');
    return value;
  }

  /** A str; any other value is printed as one. */
  softText(name: string, otherwise = ''): string {
    return str(this.value(name, otherwise));
  }

  int(name: string, otherwise: number): number {
    const value = this.value(name, BigInt(otherwise));
    if (!isInt(value)) this.wrongType(name, value, 'int');
    return Number(value);
  }

  flag(name: string, otherwise = false): boolean {
    return truth(this.value(name, otherwise));
  }

  private wrongType(name: string, value: Value, wanted: string): never {
    if (value instanceof Undefined) value.fail();
    throw new TemplateError(`${this.callee}(): '${name}' must be ${wanted}, not ${typeName(value)}`);
  }
}
