import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import t from 'tap'
import {
  expectedValues,
  runLoginProgram,
  saveDocument,
  startServiceWithSite,
} from '../support/generated-client.ts'
import {
  besideClients,
  generateClient,
  runTool,
  skipWithout,
  tolerantOptions,
  workFolder,
} from '../support/tools.ts'

// The client that openapi-generator makes for PHP, on the Guzzle of Debian, as Composer's registry is not reached from here.
const running = await startServiceWithSite(t)
const skip =
  skipWithout('php', 'java', 'maven') ||
  (!hasPackages() && 'php-guzzlehttp-guzzle, php-curl and php-mbstring are not installed')

function hasPackages(): boolean {
  if (!existsSync('/usr/share/php/GuzzleHttp/autoload.php')) return false
  const modules = execFileSync('php', ['-m'], { encoding: 'utf8' })
  return ['curl', 'mbstring'].every((name) => modules.split('\n').includes(name))
}

for (const document of ['/openapi.json', '/openapi-3.0.json', 'an older document'] as const)
  t.test(`openapi-generator, ${document}: a whole login in PHP`, { skip }, async (t) => {
    const folder = await workFolder(t, 'php')
    const input = await saveDocument(running.service, folder, document)
    const options = `invokerPackage=AuthMovies,${tolerantOptions.values}`
    await generateClient('current', [
      '-g',
      'php',
      '-i',
      input,
      '-o',
      folder,
      `--additional-properties=${options}`,
    ])
    await runTool('bash', ['-c', 'find lib -name "*.php" -print0 | xargs -0 -n 1 php -l'], { cwd: folder })
    const told = await runLoginProgram(running, 'php', [besideClients('programs/php/main.php')], {
      cwd: folder,
    })
    const unknown = document === 'an older document' && { refused: 'unknown_default_open_api' }
    t.match(told, { ...expectedValues(running.site), ...unknown })
  })
