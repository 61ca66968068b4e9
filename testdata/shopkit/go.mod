module example.com/shopkit

go 1.25.0
