/** In the order of the ladder, best first. */
export const ENGINES = ['native', 'wasm', 'cpu'] as const;
export type EngineName = (typeof ENGINES)[number];

/** `auto`: the best that works here, never cpu. */
export const ENGINE_CHOICES = ['auto', ...ENGINES] as const;
export type EngineChoice = (typeof ENGINE_CHOICES)[number];
