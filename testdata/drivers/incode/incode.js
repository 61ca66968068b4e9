// incode.js is incode with node's pg, or with postgres.js: node incode.js module user password tls [wait]
const fs = require('fs')
const [module_, user, password, tls, wait] = process.argv.slice(2)
const url = new URL(process.env.DATABASE_URL)
const options = {
  host: url.hostname, port: Number(url.port), database: url.pathname.slice(1),
  user: user || url.username, password: password || decodeURIComponent(url.password),
}
if (tls === 'any') options.ssl = { rejectUnauthorized: false }
else if (tls) options.ssl = { ca: fs.readFileSync(tls).toString() }
const question =
  "select current_user || case when ssl then ' over TLS' else '' end as who from pg_stat_ssl where pid = pg_backend_pid()"

async function withPg() {
  const { Client } = require('pg')
  const client = new Client(options)
  client.on('error', () => {})
  await client.connect()
  const { rows } = await client.query(question)
  await client.end()
  return rows[0].who
}

async function withPostgres() {
  if (tls === 'any') options.ssl = 'require'
  const sql = require('postgres')({ ...options, max: 1 })
  try {
    return (await sql.unsafe(question))[0].who
  } finally {
    await sql.end({ timeout: 1 })
  }
}

// isDown says whether an error is of the network, or a server's that has just begun to start.
function isDown(err) {
  return ['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'CONNECTION_CLOSED', '57P03'].includes(err.code) ||
    err.message.startsWith('Connection terminated')
}

async function main() {
  for (;;) {
    try {
      return console.log('in as ' + await (module_ === 'pg' ? withPg() : withPostgres()))
    } catch (err) {
      if (!wait || !isDown(err)) return console.log('out: ' + err.message)
      console.log('waiting: ' + err.message)
    }
    await new Promise(next => setTimeout(next, 20))
  }
}

main()
