"""One module for each page: what it reads, what its forms do, and the template it is shown with."""
