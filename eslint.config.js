// The linter's rules: typescript-eslint's strictest typed ones, exhaustive switches, few arguments, no console.
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
      'no-restricted-syntax': [
        'error',
        ...[
          'ExportNamedDeclaration > FunctionDeclaration',
          'ExportNamedDeclaration > VariableDeclaration > VariableDeclarator > ArrowFunctionExpression',
          'ExportNamedDeclaration > TSTypeAliasDeclaration TSFunctionType',
        ].map((exported) => ({
          selector: `${exported}[params.length>3]`,
          message: 'More than three arguments are one object, with names.',
        })),
      ],
    },
  },
  {
    files: ['src/http/dashboard/page/*.js'],
    // tsc knows which names a browser has.
    rules: { 'no-undef': 'off' },
  },
  { files: ['**/*.mjs'], rules: { 'no-undef': 'off' } },
);
