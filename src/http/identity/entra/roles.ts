// Roles that Entra's tokens may carry here, as the app registration declares them.

export const ROLES = { relay: 'RunResults.Submit', operator: 'Operate' } as const;
