package dotenv

// DatabaseURLs are the variables that hold the URL of an app's database unless its configuration
// names others: the first that is set counts. Each call returns a slice of its own.
func DatabaseURLs() []string { return []string{"DATABASE_URL", "SUPABASE_DATABASE_URL"} }

// DirectDatabaseURL is the variable that holds the URL of the same database without a pooler before
// it, unless the configuration names another.
const DirectDatabaseURL = "DIRECT_URL"
