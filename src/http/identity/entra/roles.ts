// The roles an Entra token may carry, as the app registration declares them.

export const ROLES = { relay: 'RunResults.Submit', operator: 'Operate' } as const;
