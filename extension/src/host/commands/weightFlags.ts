// How the engine's commands are told to hold a run's base as the run had it. Called where a result is tried.

/** @param config of a run, as its folder has it */
export function weightFlags(config: object): string[] {
  const { engine = {} } = config as { engine?: { base_weights?: string; precision?: string } };
  return [
    ...(engine.base_weights ? ['--base-weights', engine.base_weights] : []),
    ...(engine.precision ? ['--precision', engine.precision] : []),
  ];
}
