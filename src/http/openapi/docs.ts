// GET /openapi.json, and GET /docs: Swagger UI served from here, under a policy that loads nothing from elsewhere.
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { Router } from 'express';
import helmet from 'helmet';
import { contextOf } from '../request/context.ts';
import { createOpenApi } from './document.ts';

const require = createRequire(import.meta.url);
const VIEWER = dirname(require.resolve('swagger-ui-dist/package.json'));
const FILES = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'];
const START = 'start.js';
/** They are large: browsers cache and revalidate them. */
const REVALIDATED = { 'Cache-Control': 'no-cache' };

const policy = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'none'"],
      scriptSrc: ["'self'"],
      styleSrc: ["'self'"],
      imgSrc: ["'self'", 'data:'],
      connectSrc: ["'self'"],
      baseUri: ["'none'"],
      formAction: ["'none'"],
      frameAncestors: ["'none'"],
    },
  },
  frameguard: { action: 'deny' },
  // Decided by whatever terminates TLS.
  strictTransportSecurity: false,
});

/** URLs are relative: the page works behind any proxy, with and without a trailing slash. */
const toPage = (docs: string, root: string) => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <title>runstate-bridge</title>
    <link rel="stylesheet" href="${docs}swagger-ui.css">
    <link rel="icon" type="image/png" href="${docs}favicon-32x32.png">
  </head>
  <body>
    <div id="document" data-url="${root}openapi.json"></div>
    <script src="${docs}swagger-ui-bundle.js"></script>
    <script src="${docs}${START}"></script>
  </body>
</html>
`;

/** Runs in the browser. Requests must be signed, so trying them out is disabled. */
const START_SCRIPT = `const dark = matchMedia('(prefers-color-scheme: dark)');
const follow = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
dark.addEventListener('change', follow);
follow();
const place = document.getElementById('document');
SwaggerUIBundle({
  domNode: place,
  url: place.dataset.url,
  supportedSubmitMethods: [],
  validatorUrl: null,
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
});
`;

export function createDocsRoutes(): Router {
  const router = Router({ caseSensitive: true });
  const document = createOpenApi();
  const atRoot = JSON.stringify(document);
  router.get('/openapi.json', (_req, res) => {
    const { basePath: url } = contextOf(res);
    res.type('application/json').send(url === '' ? atRoot : JSON.stringify({ ...document, servers: [{ url }] }));
  });
  router.get('/docs', policy, (req, res) => {
    res.type('html').send(req.path.endsWith('/') ? toPage('', '../') : toPage('docs/', ''));
  });
  router.use('/docs', policy, createFiles());
  return router;
}

function createFiles(): Router {
  const router = Router();
  router.get(`/${START}`, (_req, res) => void res.type('js').send(START_SCRIPT));
  for (const file of FILES)
    router.get(`/${file}`, (_req, res) => res.sendFile(file, { root: VIEWER, headers: REVALIDATED }));
  return router;
}
