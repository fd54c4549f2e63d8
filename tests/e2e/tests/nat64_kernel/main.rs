//! The translator and the kernel around it: what it changes on its machine and takes back, bulk between real stacks, and floods.

mod bulk;
mod floods;
mod manual;
mod traces;
