import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['build/**', 'dist/**', '**/node_modules/**'] },
  {
    files: ['**/*.{ts,mjs}'],
    languageOptions: { parser: tseslint.parser },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: 'error',
      'no-var': 'error',
      'prefer-const': 'error',
      'no-shadow-restricted-names': 'error',
      'no-self-compare': 'error',
      'no-unreachable': 'error',
      'no-constant-binary-expression': 'error',
      'no-template-curly-in-string': 'error',
      'no-console': 'off',
    },
  },
);
