//go:build suites

package drivers

// Why a test of a driver's own differs through devguard.
const (
	ownPid     = "the process id that a client is told is devguard's: a transaction has another server process each time"
	noNames    = "pg_prepared_statements is looked at: the server has no named statement"
	oneUser    = "an address is for one user: another is refused with 28000"
	itsOwnName = "sessions without an application_name are given devguard's"
)

// pgxLimits and pqLimits are by mode and test.
var (
	pgxLimits = map[string]map[string]string{
		"transaction": {
			"TestFatalRxError":                                                 ownPid,
			"TestFatalTxError":                                                 ownPid,
			"pgconn.TestConnCheckConn":                                         ownPid,
			"pgconn.TestConnPing":                                              ownPid,
			"pgxpool.TestPoolAcquireChecksIdleConns":                           ownPid,
			"stdlib.TestCheckIdleConn":                                         ownPid,
			"TestPrepareHandlesTimeoutBetweenParseAndDescribe":                 noNames,
			"TestPrepareWithDigestedNameHandlesTimeoutBetweenParseAndDescribe": noNames,
			"stdlib.TestConnMultiplePrepareAndDeallocate/cache_describe":       noNames,
			"stdlib.TestConnMultiplePrepareAndDeallocate/cache_statement":      noNames,
			"stdlib.TestConnMultiplePrepareAndDeallocate/describe_exec":        noNames,
			"stdlib.TestConnMultiplePrepareAndDeallocate/exec":                 noNames,
			"stdlib.TestConnMultiplePrepareAndDeallocate/simple_protocol":      noNames,
		},
	}
	pqAnyMode = map[string]string{
		"TestAuth/end_to_end/user=pqgomd5":   oneUser,
		"TestAuth/end_to_end/user=pqgoscram": oneUser,
		"TestRuntimeParameters/#08":          itsOwnName,
	}
	pqLimits = map[string]map[string]string{"session": pqAnyMode, "transaction": pqAnyMode}
)
