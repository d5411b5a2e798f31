import js from '@eslint/js';
import jest from 'eslint-plugin-jest';
import tseslint from 'typescript-eslint';

/** A floor may import from the floors below it only (lib/README.md). */
const floor = (name, ...above) => ({
  files: [`lib/${name}/**/*.ts`],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: [
          {
            group: [...above, 'index'].flatMap((up) => [`**/${up}/**`, `**/${up}.js`]),
            message: `lib/${name}/ must not know the floors above it`,
          },
        ],
      },
    ],
  },
});

export default tseslint.config(
  { ignores: ['dist/', '**/build/', 'coverage/', 'node_modules/'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': 'off',
    },
  },
  {
    files: ['lib/**/*.ts'],
    rules: {
      'max-lines': ['error', { max: 250, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 40, skipBlankLines: true, skipComments: true }],
      'max-params': ['error', 4],
      complexity: ['error', 10],
      'no-console': 'error',
    },
  },
  {
    files: ['lib/express/**/*.ts'],
    rules: {
      // A rejection is an answer, not an error; users throw it, and so do we.
      '@typescript-eslint/only-throw-error': ['error', { allow: ['Rejection'] }],
    },
  },
  {
    files: ['lib/protocol/**/*.ts'],
    // Byte loops: each states its bounds; a check for `undefined` a byte would cost a third.
    rules: { '@typescript-eslint/no-non-null-assertion': 'off' },
  },
  floor('express'),
  floor('rooms', 'express'),
  floor('socket', 'express', 'rooms'),
  floor('protocol', 'express', 'rooms', 'socket'),
  {
    files: ['lib/protocol/**/*.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              regex: '^node:(?!buffer$|crypto$|zlib$)',
              message: 'lib/protocol/ is pure: node:buffer, node:crypto and node:zlib only',
            },
          ],
        },
      ],
      'no-restricted-globals': [
        'error',
        'process',
        'Date',
        'setTimeout',
        'setImmediate',
        'console',
      ],
    },
  },
  {
    files: ['__tests__/**/*.ts'],
    extends: [jest.configs['flat/recommended']],
    rules: {
      'jest/no-disabled-tests': 'error',
      'jest/no-standalone-expect': 'off',
      'jest/expect-expect': 'off',
      'jest/no-conditional-expect': 'off',
      'jest/valid-title': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/require-await': 'off',
      // Tests throw what users throw, and hand promises to whoever does not expect them.
      '@typescript-eslint/only-throw-error': 'off',
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
      '@typescript-eslint/no-misused-promises': 'off',
      '@typescript-eslint/no-invalid-void-type': 'off',
      // expect.any() and the like are typed any.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
    },
  },
  {
    files: ['**/*.mjs', '**/*.js'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        Buffer: 'readonly',
        module: 'writable',
        require: 'readonly',
        URL: 'readonly',
        setTimeout: 'readonly',
        setInterval: 'readonly',
        clearInterval: 'readonly',
        performance: 'readonly',
        setImmediate: 'readonly',
      },
    },
  },
  {
    // What runs in the browser.
    files: ['example-app/public/**/*.js', '__tests__/browser/*-page.js'],
    languageOptions: {
      globals: {
        addEventListener: 'readonly',
        Blob: 'readonly',
        clearTimeout: 'readonly',
        document: 'readonly',
        fetch: 'readonly',
        location: 'readonly',
        TextDecoder: 'readonly',
        TextEncoder: 'readonly',
        WebSocket: 'readonly',
      },
    },
  },
);
