// Imported before everything else: on a Node that is too old something else would fail first, in words that name
// neither the reason nor the remedy. Node 22.6 and older cannot read this file at all (ERR_UNKNOWN_FILE_EXTENSION).

const major = Number(process.versions.node.split('.')[0])
if (major < 24) {
  process.stderr.write(`Auth-movies needs Node 24 or newer; this is ${process.versions.node}.\n`)
  process.exit(1)
}
