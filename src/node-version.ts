// Imported before everything else: otherwise a Node that is too old would fail elsewhere first, with a message that names
// neither the reason nor the remedy. Node 22.6 and older cannot read this file at all (ERR_UNKNOWN_FILE_EXTENSION).

const major = Number(process.versions.node.split('.')[0])
if (major < 24) {
  process.stderr.write(`Auth-movies needs Node 24 or newer; this is ${process.versions.node}.\n`)
  process.exit(1)
}
