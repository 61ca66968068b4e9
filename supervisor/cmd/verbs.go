package cmd

import "github.com/urfave/cli/v2"

// Verb is one word behind devguard. Help, completions and the manual page are made of it.
type Verb struct {
	Name  string
	Usage string // one line
	Args  string // behind the name
	Help  string
	Flags []cli.Flag
}

// Verbs are all verbs but help, in the order in which they are listed. The flags are made anew at
// each call: a flag that has been parsed keeps its value.
func Verbs() []Verb {
	return []Verb{
		{"run", RunUsage, RunArgs, RunHelp, RunFlags()},
		{"debug", DebugUsage, RunArgs, DebugHelp, DebugFlags()},
		{"explain", ExplainUsage, ExplainArgs, ExplainHelp, ExplainFlags()},
		{"doctor", DoctorUsage, DoctorArgs, DoctorHelp, DoctorFlags()},
		{"status", StatusUsage, TalkArgs, StatusHelp, TalkFlags("json", "open")},
		{"wait", WaitUsage, TalkArgs, WaitHelp, TalkFlags("json", "timeout")},
		{"restart", RestartUsage, TalkArgs, RestartHelp, TalkFlags()},
		{"stop", StopUsage, TalkArgs, StopHelp, TalkFlags()},
		{"reset-connections", ResetUsage, TalkArgs, ResetHelp, TalkFlags("json")},
		{"logs", LogsUsage, TalkArgs, LogsHelp, TalkFlags("json", "follow")},
		{"mcp", MCPUsage, TalkArgs, MCPHelp, TalkFlags()},
		{"init", InitUsage, InitArgs, InitHelp, InitFlags()},
		{"completion", CompletionUsage, CompletionArgs, CompletionHelp, nil},
		{"version", VersionUsage, "", VersionHelp, nil},
		{"man", ManUsage, "", ManHelp, nil},
	}
}
