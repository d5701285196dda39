"""What runs inside the sandbox: the judge, and the process of the program it judges.

``launcher`` starts it in a bare interpreter, where nothing else of ghostbust can be imported. It
imports little, to start fast: not even ``typing``, ``re`` or ``enum``, each of which costs
milliseconds for every program.

=========  =======================================================================
module     does
=========  =======================================================================
judge      runs the check, which calls the program's functions in the other process
program    runs the solution and answers the judge's calls
wire       plain data as bytes and back; what else a program sends is refused
confine    limits, capabilities, Landlock and the filter of system calls
=========  =======================================================================
"""
