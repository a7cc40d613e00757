// A network of 12 bittorrent-dht nodes on loopback:
//   bittorrent_dht.mjs NPM_FOLDER announce INFO_HASH PORT   one of them announces a peer, then: ready ROUTER_PORT
//   bittorrent_dht.mjs NPM_FOLDER find INFO_HASH            ready ROUTER_PORT, and as soon as one finds a peer: found IP:PORT
// Runs until it is killed.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [folder, verb, infoHash, port] = process.argv.slice(2)
const entry = join(folder, 'node_modules', 'bittorrent-dht', 'index.js')
const { Client } = await import(pathToFileURL(entry))

const started = (bootstrap) => new Promise((resolve) => {
  const node = new Client({ bootstrap, host: '127.0.0.1' })
  node.listen(0, '127.0.0.1', () => resolve(node))
})

const router = await started(false)
const nodes = [router]
for (let n = 1; n < 12; n++) {
  const node = await started([`127.0.0.1:${router.address().port}`])
  await new Promise((resolve) => node.once('ready', resolve))
  nodes.push(node)
}

if (verb === 'announce') {
  // On a busy machine answers may come later than the two seconds that they are given.
  const announced = () => new Promise((resolve) => {
    nodes[7].announce(infoHash, Number(port), (error) => resolve(!error))
  })
  while (!await announced());
}
console.log(`ready ${router.address().port}`)
if (verb === 'find') {
  nodes[5].on('peer', (peer) => console.log(`found ${peer.host}:${peer.port}`))
  setInterval(() => nodes[5].lookup(infoHash), 1000)
}
