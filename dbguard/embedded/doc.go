// Package embedded runs a private Postgres for one project.
package embedded
