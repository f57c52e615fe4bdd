using System;
using System.Runtime.InteropServices;
using Flagstone.Interop;

namespace Flagstone.Handles;

/// <summary>
/// Owns a reference to a <c>flagstone_test_data</c>. Disposed early by its owner, so that every call counts itself in, as
/// <see cref="SafeHandle"/> does it: nobody is in a hurry here.
/// </summary>
internal sealed class TestDataHandle : SafeHandle
{
    internal TestDataHandle(IntPtr native)
        : base(IntPtr.Zero, ownsHandle: true) => SetHandle(native);

    public override bool IsInvalid => handle == IntPtr.Zero;

    protected override bool ReleaseHandle()
    {
        NativeMethods.flagstone_test_data_release(handle);
        return true;
    }
}
