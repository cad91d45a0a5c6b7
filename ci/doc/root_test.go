package doc_test

const root = "../.."
