// The options of engine commands that load a base model as a run did. Used to try the run's result.

/** @param config content of the run's run.json */
export function weightFlags(config: object): string[] {
  const { engine = {} } = config as { engine?: { base_weights?: string; precision?: string } };
  return [
    ...(engine.base_weights ? ['--base-weights', engine.base_weights] : []),
    ...(engine.precision ? ['--precision', engine.precision] : []),
  ];
}
