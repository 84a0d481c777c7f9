// Which test runs which block of the documentation. A block goes by the page and its first line; both languages have the
// same code (languages.test.ts), so the English pages stand for both.

/** The blocks that one test runs. */
export interface RunBlocks {
  /** The test's file. */
  readonly test: string
  /** By page: every block of it, or those that begin so; "```go" is every block in Go. */
  readonly pages: Readonly<Record<string, 'every block' | readonly string[]>>
}

/** The test that runs commands in a copy of the repository, and what it runs. */
export const inACopy: RunBlocks = {
  test: 'test/docs/commands.clients.ts',
  pages: {
    'README.md': [
      'npm start',
      'npm run site -- add --name Shop --redirect-url http://127.0.0.1:8080/return',
      'curl -sS "$AUTH/api/v1/oauth/authorize-url/" \\',
      'curl -sS "$AUTH/api/v1/oauth/authorize/" \\',
    ],
    'docs/en/examples.md': ['npm run site -- add --name Example --redirect-url http://127.0.0.1:8000/return'],
    'docs/en/first-login.md': [
      'npm start',
      `npm run site -- add --name 'My first site' --redirect-url http://127.0.0.1:8010/return`,
      'START=$(curl -sS "$AUTH/api/v1/oauth/authorize-url/" \\',
      `AUTHORIZE_URL=$(node -p 'JSON.parse(process.argv[1]).authorize_url' "$START")`,
      `STATE=$(node -p 'new URL(process.argv[1]).searchParams.get("state")' "$RETURN")`,
      'TOKENS=$(curl -sS "$AUTH/api/v1/oauth/authorize/" -u "$SITE_ID:$SITE_SECRET" -d "${RETURN#*\\?}")',
      `ACCESS_TOKEN=$(node -p 'JSON.parse(process.argv[1]).access_token' "$TOKENS")`,
      'curl -sS "$AUTH/api/v1/oauth/authorize/" -u "$SITE_ID:$SITE_SECRET" -d provider=yandex -d state=not-ours -d code=any',
      `REFRESH_TOKEN=$(node -p 'JSON.parse(process.argv[1]).refresh_token' "$TOKENS")`,
      `NEXT_REFRESH_TOKEN=$(node -p 'JSON.parse(process.argv[1]).refresh_token' "$TOKENS")`,
      'node examples/node/site.mjs',
    ],
    'docs/en/kubernetes.md': ['cp -r deploy/kubernetes/overlays/production deploy/kubernetes/overlays/mine'],
    'docs/en/one-machine.md': ['cd deploy'],
    'docs/en/openid-connect.md': ['curl -sS "$AUTH/.well-known/openid-configuration"'],
    'docs/en/operators.md': [
      'curl -sS http://127.0.0.1:9464/health/ready',
      'node --env-file=.env src/cli.ts keys rotate',
    ],
    'docs/en/runbooks.md': ['curl -sS http://127.0.0.1:9464/health/ready'],
    'docs/en/site-check.md': [
      'node examples/node/site.mjs',
      'SITE_SECRET=SECRET-FROM-THE-ANSWER npm run site',
    ],
    'docs/en/secrets.md': [
      'node --env-file=.env src/cli.ts site rotate-secret ID',
      'node --env-file=.env src/cli.ts admin-token NAME',
    ],
  },
}

/** What other tests run. */
export const run: readonly RunBlocks[] = [
  inACopy,
  {
    test: 'test/clients/sdk.clients.ts',
    pages: { 'docs/en/generated-clients.md': ['npm run sdk', 'import { createInterface'] },
  },
  { test: 'test/docs/admin-api.test.ts', pages: { 'docs/en/admin-api.md': 'every block' } },
  {
    test: 'test/docs/client-guide.test.ts',
    pages: {
      'docs/en/client-guide.md': ['POST api/v1/oauth/authorize-url/', 'POST api/v1/oauth/authorize/'],
    },
  },
  {
    test: 'test/docs/site-administrators.test.ts',
    pages: { 'docs/en/site-administrators.md': ['curl', 'openssl', 'CODE_CHALLENGE'] },
  },
  {
    test: 'test/docs/site-administrators-samples.test.ts',
    pages: { 'docs/en/site-administrators.md': ['// POST /login', 'import { createRemoteJWKSet'] },
  },
  { test: 'test/docs/sandbox.test.ts', pages: { 'docs/en/sandbox.md': 'every block' } },
  { test: 'test/site-check/check.test.ts', pages: { 'docs/en/site-check.md': ['Site check of Example'] } },
  {
    test: 'test/docs/token-checks.clients.ts',
    pages: {
      'docs/en/site-administrators.md': ['import jwt', 'use Firebase', 'import (', 'import org.spring'],
    },
  },
  {
    test: 'test/docs/examples.test.ts',
    pages: { 'docs/en/examples.md': ['```js', '```python', '```php', '```go', '```java', '```xml'] },
  },
  { test: 'test/clients/auth-js.test.ts', pages: { 'docs/en/openid-connect/auth-js.md': 'every block' } },
  { test: 'test/clients/passport.test.ts', pages: { 'docs/en/openid-connect/passport.md': 'every block' } },
  {
    test: 'test/clients/openid-connect.clients.ts',
    pages: {
      'docs/en/openid-connect/go.md': 'every block',
      'docs/en/openid-connect/django.md': 'every block',
    },
  },
  {
    test: 'test/clients/spring-security.clients.ts',
    pages: { 'docs/en/openid-connect/spring.md': 'every block' },
  },
  {
    test: 'test/clients/oauth2-proxy.clients.ts',
    pages: { 'docs/en/openid-connect/oauth2-proxy.md': 'every block' },
  },
  {
    test: 'test/clients/mod-auth-openidc.clients.ts',
    pages: { 'docs/en/openid-connect/mod-auth-openidc.md': 'every block' },
  },
  {
    test: 'test/deploy/backup.long.ts',
    pages: { 'docs/en/backup.md': ['pg_dump', 'createdb', 'pg_basebackup', 'cp -a'] },
  },
  {
    test: 'test/deploy/guides.clients.ts',
    pages: {
      'docs/en/secrets.md': ['CREATE ROLE auth_movies_2'],
      'docs/en/operators.md': ['# A patch of your overlay'],
    },
  },
  {
    test: 'test/docs/failovers.long.ts',
    pages: {
      'docs/en/failovers.md': [
        'maxmemory-policy',
        'sentinel monitor',
        'cluster-enabled',
        'synchronous_commit',
        'listen postgresql',
        'pool_mode',
        'REDIS_URL=',
        'DATABASE_POOLER=',
      ],
    },
  },
  {
    test: 'test/monitoring/prometheus.long.ts',
    pages: { 'docs/en/monitoring.md': ['rule_files:', 'promtool check'] },
  },
  {
    test: 'test/docs/settings.test.ts',
    pages: {
      'docs/en/monitoring.md': ['OTEL_EXPORTER'],
      'docs/en/operators.md': ['CREATE ROLE', 'ALTER DEFAULT', 'ALTER ROLE'],
      'docs/en/runbooks.md': ['SELECT a.pid'],
      'docs/en/backup.md': ['wal_level'],
    },
  },
]

const cluster =
  'there is no cluster here; guides.clients.ts and kubernetes.clients.ts look for every name of it in the manifests'
const engine =
  'there is no container engine here; image.clients.ts builds the image by buildah and runs it, one-machine.clients.ts reads the compose file'
const host =
  "changes the machine's own systemd and /etc; one-machine.clients.ts has the unit judged by systemd"
const dotnet = 'there is no .NET here, as the page says'
const generator =
  'generated-clients.test.ts compares its version and imports; the tests beside test/clients/generators run the generator with the same options, and the programs there make these calls'

/** What no test runs, by page and first line, and why. */
export const notRun: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'README.md': {
    'PORT=3100 MANAGEMENT_PORT=9564 SANDBOX_PORT=3101 npm start':
      'npm start as above with fixed ports, which may be taken; sandbox/start.test.ts chooses free ones by these variables',
    'npm test': 'is the run that this test is part of',
    'npm run bench': 'takes minutes; .ci/run has it run',
    'docker build -t auth-movies .': engine,
  },
  'CONTRIBUTING.md': {
    'npm test -- test/login/start.test.ts': 'are the runs that the tests are part of',
  },
  'docs/performance.md': {
    'npm run bench ': 'takes minutes, and needs a quiet machine; .ci/run has the first line run',
    'npm run bench:peers': 'takes an hour on a quiet machine',
  },
  'docs/en/capacity.md': {
    'npm run capacity': 'takes minutes; capacity.test.ts has its results and its sums',
  },
  'docs/en/failovers.md': {
    'SELECT pg_promote();':
      'needs a standby; test/support/postgres-server.ts does it in each test of failovers',
  },
  'docs/en/first-login.md': {
    'git clone REPOSITORY auth-movies': 'the address is that of the copy that you read',
  },
  'docs/en/generated-clients.md': {
    'curl -sSf -o openapi-generator-cli.jar': generator,
    'java -jar openapi-generator-cli.jar generate -g python': generator,
    'site = authmovies.Configuration': generator,
    'java -jar openapi-generator-cli.jar generate -g go': generator,
    'site := context.WithValue': generator,
    'java -jar openapi-generator-cli.jar generate -g java': generator,
    'StartedLogin started': generator,
    'java -jar openapi-generator-cli.jar generate -g php': generator,
    '$site = (new AuthMovies': generator,
    'java -jar openapi-generator-cli.jar generate -g csharp': dotnet,
    'var site = new Configuration': dotnet,
    'npm install openapi-fetch': generator,
    'import createClient': generator,
  },
  'docs/en/kubernetes.md': {
    'docker build --build-arg COMMIT': engine,
    'kubectl apply -f deploy/kubernetes/overlays/mine': cluster,
    'kubectl -n auth-movies create secret tls': cluster,
    'kubectl apply -k deploy/kubernetes/overlays/mine': cluster,
    'kubectl -n auth-movies exec': cluster,
    'docker build -t localhost/auth-movies': cluster,
    'docker build --target demo': cluster,
  },
  'docs/en/one-machine.md': {
    'docker compose up': engine,
    'git clone --branch': host,
    'install -m 644 deploy/systemd': host,
    'cd /opt/auth-movies': host,
  },
  'docs/en/openid-connect/grafana.md': {
    '[auth.generic_oauth]': 'Grafana is not installed here, as its page says',
  },
  'docs/en/openid-connect/laravel.md': {
    '// config/services.php': 'Laravel is not installed here, as its page says',
  },
  'docs/en/operators.md': {
    'docker build -t auth-movies .': engine,
    'node -v':
      'installs all packages anew; image.test.ts runs what is left after it, on PostgreSQL and Redis',
    'journalctl -u auth-movies': 'there is neither a journal nor a cluster here',
  },
  'docs/en/site-administrators.md': { 'builder.Services': dotnet },
  'docs/en/upgrade.md': {
    'kubectl diff': cluster,
    'docker compose up': engine,
    'kubectl -n auth-movies rollout undo': cluster,
    'docker buildx': engine,
  },
}
