// Package models holds the rows of the database as Go types. models_gen.go is
// generated from schema/models.txt.
package models

//go:generate go run ../../cmd/gen -dir ../..
