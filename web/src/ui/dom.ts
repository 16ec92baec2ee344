import { template as solidTemplate } from 'solid-js/web';

export * from 'solid-js/web';

interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createHTML(html: string): string },
  ): { createHTML(html: string): string };
}

/**
 * The gateway's CSP lets no string become HTML. What the compiler writes for JSX are constants of
 * this build; this policy vouches for them, and only `template` below can reach it.
 */
const policy = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes?.createPolicy(
  'parley-templates',
  { createHTML: (html) => html },
);

/** What compiled JSX calls instead of Solid's own; see `moduleName` in the Vite configuration. */
export const template: typeof solidTemplate = (html, ...rest) =>
  solidTemplate(policy?.createHTML(html) ?? html, ...rest);
