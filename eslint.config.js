import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist/", "node_modules/", ".slct/"] },
  {
    files: ["**/*.ts"],
    extends: [...tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: { allowDefaultProject: ["vitest.config.ts"] } } },
    rules: {
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "no-restricted-syntax": ["error", { selector: "TSEnumDeclaration", message: "Use a union." }],
    },
  },
  {
    files: ["raft/**/*.ts", "src/select/**/*.ts"],
    rules: {
      "no-restricted-globals": [
        "error",
        "Date",
        "setTimeout",
        "setInterval",
        "setImmediate",
        "performance",
        "process",
        "fetch",
      ],
      "no-restricted-properties": ["error", { object: "Math", property: "random" }],
    },
  },
);
