// GET /docs: a page that reads the document, with everything it loads served from here and nothing else let in.
import request from 'supertest';
import { expect, test } from 'vitest';
import { createBareApp } from '../../../src/http/bare-app.ts';
import { createDocsRoutes } from '../../../src/http/openapi/docs.ts';

const app = createBareApp({ onAnswer: () => undefined }).use(createDocsRoutes());

test.each(['/docs', '/docs/'])('the page at %s · names only what is served here · each of it there', async (path) => {
  const page = await request(app).get(path);
  expect(page.status).toBe(200);
  const addresses = [...page.text.matchAll(/(?:src|href|data-url)="([^"]+)"/g)].map(([, address = '']) => address);
  expect(addresses).toHaveLength(5);
  for (const address of addresses) {
    expect(new URL(address, 'http://bridge').host).toBe('bridge');
    const { pathname } = new URL(address, `http://bridge${path}`);
    const answer = await request(app).get(pathname);
    expect([pathname, answer.status]).toEqual([pathname, 200]);
  }
});

test('the page · lets no script in but its own files · and no frame around it', async () => {
  const { headers, text } = await request(app).get('/docs');
  const policy = new Map(
    String(headers['content-security-policy'])
      .split(';')
      .map((directive) => [directive.split(' ')[0], directive.split(' ').slice(1).join(' ')]),
  );
  expect(policy.get('default-src')).toBe("'none'");
  expect(policy.get('script-src')).toBe("'self'");
  expect(policy.get('style-src')).toBe("'self'");
  expect(policy.get('frame-ancestors')).toBe("'none'");
  expect(text).not.toMatch(/<script(?![^>]* src=)|<style| style=| on\w+=/);
});

test.each(['index.html', 'swagger-initializer.js', 'package.json', '..%2fpackage.json', 'swagger-ui.js.map'])(
  'of the viewer · %s · is not served',
  async (file) => {
    expect((await request(app).get(`/docs/${file}`)).status).toBe(404);
  },
);
