// incode.js is incode with node's pg, or with postgres.js: node incode.js module user password tls
const fs = require('fs')
const [module_, user, password, tls] = process.argv.slice(2)
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

(module_ === 'pg' ? withPg() : withPostgres()).then(
  who => console.log('in as ' + who), err => console.log('out: ' + err.message))
