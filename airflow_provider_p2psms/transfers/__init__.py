"""Rows of elsewhere to the gateway, without a file or an XCom in between."""
