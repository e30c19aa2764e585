"""The shopper application: transactions to baskets, to missions, to a folder of results."""
