// What the linter holds the house to: typescript-eslint's strictest typed rules, exhaustive switches, no stray console.
import js from '@eslint/js';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['dist', 'node_modules', '.tools', 'data', 'coverage'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-definitions': ['error', 'type'],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      'no-console': 'error',
    },
  },
  {
    files: ['src/http/dashboard/page/*.js'],
    languageOptions: {
      globals: Object.fromEntries(
        ['document', 'fetch', 'getComputedStyle', 'history', 'location', 'matchMedia', 'setTimeout']
          .concat(['AbortSignal', 'ResizeObserver', 'URL', 'URLSearchParams'])
          .map((name) => [name, 'readonly']),
      ),
    },
  },
  { files: ['**/*.mjs'], languageOptions: { globals: { process: 'readonly', console: 'readonly' } } },
);
