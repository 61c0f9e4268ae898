// What the next answer is made with: system prompt, sampling options with presets, variables of the chat template.
import type { JsonSchema } from '../../../extension/src/core/forms/jsonSchema.js';
import {
  presetOf,
  PRESETS,
  valuesOf,
  variablesOf,
  variablesSchema,
  withPreset,
} from '../../../extension/src/core/playground/presets.js';
import type { PlaygroundSnapshot } from '../../../extension/src/protocol/playgroundMessages.js';
import { samplingSchema, type Sampling } from '../../../extension/src/protocol/sampling.js';
import { h, setText } from '../shared/dom.js';
import { SchemaForm, type Values } from '../shared/schemaForm.js';
import { textArea } from '../shared/toolkit.js';
import type { PlaygroundHost } from './commands.js';

export class SettingsPane {
  readonly element = h('aside', { class: 'settings', 'aria-label': 'Settings of the answers', id: 'settings' });
  private readonly system;
  private readonly presets = h('div', { class: 'presets', role: 'group', 'aria-label': 'Presets' });
  private readonly presetHelp = h('p', { class: 'help' });
  private readonly sampling: SchemaForm;
  private readonly variables = h('section', { class: 'block', 'aria-label': 'Template variables', hidden: true });
  private shownFor = '';
  private variablesFor = '';

  constructor(
    private readonly host: PlaygroundHost,
    samplingSchema: JsonSchema,
  ) {
    this.system = textArea({
      label: 'System prompt',
      placeholder: 'You are a helpful assistant.',
      onChange: system => void host.carryOut({ do: 'setSystem', system }),
    });
    this.sampling = new SchemaForm({
      schema: samplingSchema,
      important: ['temperature', 'max_new_tokens', 'seed'],
      moreTitle: 'More options',
      onChange: values => this.changeSampling(values),
    });
    this.presets.append(
      ...PRESETS.map(preset =>
        h(
          'button',
          {
            type: 'button',
            class: 'preset',
            title: preset.help,
            'aria-pressed': 'false',
            onclick: () => {
              this.sampling.values = withPreset(this.sampling.values, preset);
              this.changeSampling(this.sampling.values);
            },
          },
          preset.name,
        ),
      ),
    );
    this.element.append(
      h('section', { class: 'block' }, h('h2', {}, 'System prompt'), this.system.element),
      h('section', { class: 'block' }, h('h2', {}, 'Sampling'), this.presets, this.presetHelp, this.sampling.element),
      this.variables,
    );
  }

  show({ conversation, model }: PlaygroundSnapshot): void {
    // A snapshot may be older than what the user is typing, so that only another conversation replaces it.
    if (conversation.id !== this.shownFor) {
      this.shownFor = conversation.id;
      this.system.value = conversation.system;
      this.sampling.values = conversation.sampling;
      this.variablesFor = '';
      this.showPreset(conversation.sampling);
    }
    const names = model.facts?.template_variables ?? [];
    const key = JSON.stringify([conversation.id, names]);
    if (model.facts === null || key === this.variablesFor) return;
    this.variablesFor = key;
    const form = new SchemaForm({
      schema: variablesSchema(names),
      important: names.length,
      moreTitle: '',
      onChange: values => void this.host.carryOut({ do: 'setVariables', variables: variablesOf(values) }),
    });
    form.values = valuesOf(conversation.template_variables);
    this.variables.replaceChildren(h('h2', {}, 'Template variables'), form.element);
    this.variables.hidden = names.length === 0;
  }

  private changeSampling(values: Values): void {
    // The fields show what is wrong with them; the last valid values stay.
    const sampling = samplingSchema.safeParse(values);
    if (this.sampling.ownProblems.size > 0 || !sampling.success) return;
    this.showPreset(sampling.data);
    void this.host.carryOut({ do: 'setSampling', sampling: sampling.data });
  }

  private showPreset(sampling: Sampling): void {
    const chosen = presetOf(sampling);
    for (const [index, element] of [...this.presets.children].entries())
      element.setAttribute('aria-pressed', String(PRESETS[index] === chosen));
    setText(this.presetHelp, chosen?.help ?? 'Your own options');
  }
}
